"""Plain networks: the DCGAN generator and discriminator, and the small classifier."""
