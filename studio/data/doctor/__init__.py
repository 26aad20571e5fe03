"""The doctor: what is wrong with a data set, one small file a finding, each with the step that mends it."""
