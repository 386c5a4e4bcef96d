"""The file back with its amounts, and the refused rows with their reasons."""

import streamlit as st


def offer_downloads(p, name):
    pass


def offer_rejected(p):
    pass
