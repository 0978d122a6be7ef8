"""Parts of a job, such as its target languages: their dialog, and its texts."""
