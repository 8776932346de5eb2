"""What carries bytes between the programs of an application: connections, frames, memory of tensors."""
