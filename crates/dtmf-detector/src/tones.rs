//! The eight tones of ITU-T Q.23, looked for in short blocks.
