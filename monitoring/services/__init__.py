"""Every write of the monitoring app."""
