# From settings and photographs to the weights that methods start from; only what a config's `pretrain` lists.
from benchmark.pretraining import jobs

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


rule pretrain:
    input:
        expand(f"{TRAINED}/{{stem}}.json", stem=TRAININGS),


# A killed one continues: its checkpoint lies beside the record, which is written last.
rule train:
    input:
        training_inputs,
    output:
        f"{TRAINED}/{{stem}}.json",
    log:
        f"{RESULTS}/logs/pretrain/{{stem}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain/{{stem}}.tsv"
    wildcard_constraints:
        stem="|".join(TRAININGS),
    threads: lambda wildcards: TRAINING_THREADS[wildcards.stem]
    resources:
        gpu=int(PLAN.config["device"] != "cpu"),
    params:
        command=lambda wildcards: TRAININGS[wildcards.stem].command,
        recipe=training_recipe,
        folder=training_folder,
        device=PLAN.config["device"],
    shell:
        "{params.command} --out {params.folder} --device {params.device} --threads {threads}"
        " > {log} 2>&1"
