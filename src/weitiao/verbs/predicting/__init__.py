"""What `weitiao predict` is made of: the parts of a file (`select` reads them too), who answers, what is written."""
