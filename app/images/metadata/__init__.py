"""What hangs on a picture beside its pixels, read leniently: for the privacy receipt and for rights to keep."""
