"""What a Stable-Diffusion-shaped generator is made of: its folder's checks and the loaded model."""
