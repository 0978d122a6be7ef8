"""When to poll: schedule, learned durations, rate limit, throttle. Pure functions of an instant."""
