"""Checks of formats whose bytes can stand for many times their number, before a library reads them."""
