"""The salient region, the latent search, blending and the variants."""
