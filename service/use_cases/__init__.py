"""Operations that combine several packages: one file for each."""
