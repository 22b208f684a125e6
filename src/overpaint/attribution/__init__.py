"""What the methods that need gradients share: passes, guarding of the network, layers, ReLU rules, signs."""
