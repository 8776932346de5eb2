"""Plain Transformers for one device, cut so that several can share them: shared by energon and galaxy."""
