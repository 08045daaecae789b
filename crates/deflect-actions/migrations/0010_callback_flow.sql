-- flow and called: whose target is rung, and the line it is for; NULL: those of the call.
ALTER TABLE callback ADD COLUMN flow TEXT;
ALTER TABLE callback ADD COLUMN called TEXT;
