"""The only driver of stage, audit and promote."""
