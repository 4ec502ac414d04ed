"""
The service
===========

Submit a request to be forgotten, ask for its state, predict. FastAPI runs each call in a thread.
"""

import os
from datetime import date
from functools import lru_cache

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from sklearn_unlearn.store import ModelStore, StoreError

store = ModelStore(os.environ["STORE"], key="env:UNLEARN_KEY")
app = FastAPI()


class Deletion(BaseModel):
    ids: list[str] = Field(min_length=1)
    reference: str | None = None
    due: date | None = None


@app.post("/deletions", status_code=202)
def submit(deletion: Deletion):
    return {"n_new": store.submit(deletion.ids, reference=deletion.reference, due=deletion.due)}


@app.get("/deletions/{subject_id}")
def status(subject_id: str):
    request = store.status(subject_id)
    if request is None:
        raise HTTPException(404, "Nobody asked to forget this id.")
    return {"state": request.state, "version": request.version, "due": request.due}


@app.post("/predict")
def predict(rows: list[list[float]]):
    version, model = newest()
    return {"predictions": model.predict(rows).tolist(), "version": version, "worker": os.getpid()}


model_of = lru_cache(maxsize=1)(store.load)


def newest():
    """Return number and model of the newest version; costs reading a file of a few bytes."""
    for _ in range(10):
        version = store.latest_version
        try:
            return version, model_of(version)
        except StoreError:
            continue  # Replaced between the two lines, or none was trained yet.
    raise HTTPException(503, "There is no model to serve.")
