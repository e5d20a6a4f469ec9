"""The keys that personal content is sealed with, in a store of their own: without its key it is erased."""
