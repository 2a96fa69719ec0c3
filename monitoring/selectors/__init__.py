"""Every read of the monitoring app."""
