"""Jobs: long work with an id and a status, a durable journal, and a runner that lets an executor run the attempts. Knows no
torch, no model store and no HTTP."""
