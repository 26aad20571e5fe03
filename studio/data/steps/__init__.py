"""Steps that mend a data set: one small file a step, each a pure function over batches of rows."""
