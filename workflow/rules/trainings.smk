# What the trainings of a config read, write and depend on.
from benchmark.pretraining.job import jobs

TRAINED = f"{RESULTS}/pretrain"
try:
    TRAININGS = jobs(PLAN.config["pretrain"], Path(TRAINED))
except InputError as error:
    fail(error)
TRAINING_THREADS = {
    stem: entry.get("threads", 1)
    for stem, entry in zip(TRAININGS, PLAN.config["pretrain"])
}


def training_inputs(wildcards):
    """The records of the trainings whose weights it reads; weights from elsewhere must lie there."""
    makers = {
        path: job.record_path for job in TRAININGS.values() for path in job.outputs
    }
    read = TRAININGS[wildcards.stem].inputs
    return list(dict.fromkeys(str(makers.get(path, path)) for path in read))


def training_folder(wildcards):
    return TRAINED


def training_recipe(wildcards):
    try:
        return TRAININGS[wildcards.stem].recipe()
    except InputError as error:
        fail(error)
