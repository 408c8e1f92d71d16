"""tgap: can a model be trained on what my fine-tuned generator makes?"""
