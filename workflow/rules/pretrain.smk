# From settings and photographs to the weights that methods start from; only what a config's `pretrain` lists.


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
