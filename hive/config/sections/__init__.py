"""The sections of the settings, by what they concern; `hive.config.settings` joins them."""
