"""From many statistic.json to one table: selection, filters, seed groups, formats."""
