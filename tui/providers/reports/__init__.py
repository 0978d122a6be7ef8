"""Parts of a report: progress, links, and the parts of a job."""
