"""Reports as documents: JSON, Markdown, and one HTML page that stands alone. Pure."""
