"""An edge testbed: devices as namespaces with limited links, processors and memory, or real ones by ssh."""
