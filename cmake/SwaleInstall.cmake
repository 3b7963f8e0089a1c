# Filled by the packaging work: install rules, package config, pkg-config.
