"""The Streamlit face: navigation, backend, state, components, catalogues."""
