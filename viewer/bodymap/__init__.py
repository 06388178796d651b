"""The body map: drawings of the body, each part of which is a site."""
