"""Our path and WhisperX's recipe side by side on labelled recordings, and ours without each of its levers.

`find_labelled` finds recordings with their references, `contest` and `ablation` have them processed,
`report` makes tables of what came out.
"""
