"""What a client file is: the contract, the reader, the samples."""
