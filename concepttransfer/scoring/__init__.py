"""What scores captions with a model, a foreign program or the texts of the fit, so that analyses need not.

`judging`: a CLIP's features for CLIPScore; `external_scores`: METEOR and SPICE; `training_texts`: what was learnt from;
`token_scores`: how likely the language model finds each word, with and without the picture; `prompt_readings`: how it
reads soft prompts.
"""
