"""What stands in the place of a pipeline's denoiser while it draws."""
