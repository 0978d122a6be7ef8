"""Job store, scheduler, queue and pollers."""
