"""Small additions to concepttransfer: an encoder library, a projection, a reader, an analysis, a study."""
