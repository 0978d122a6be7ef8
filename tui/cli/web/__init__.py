"""Server of the dashboard to browsers: access control, limits, and one dashboard process for each browser."""
