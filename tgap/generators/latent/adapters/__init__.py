"""What a model learned beside its base: LoRA layers, words."""
