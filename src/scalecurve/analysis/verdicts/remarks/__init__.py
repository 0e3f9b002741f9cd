"""What is said of a curve when it is so: one decorated function a remark; a new module here is found by itself."""
