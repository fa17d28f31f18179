"""Schema migrations, applied by hive.migrate."""
