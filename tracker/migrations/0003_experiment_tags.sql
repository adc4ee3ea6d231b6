-- Schema 3. Frozen. Experiments carry tags, as MLflow's do.
ALTER TABLE experiment ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';
