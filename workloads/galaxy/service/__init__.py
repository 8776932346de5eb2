"""Galaxy as a service: devices join and leave, requests are answered by whoever is there."""
