# From settings and photographs to the weights that methods start from: what a config lists under `pretrain`.


rule pretrain:
    input:
        [training.record for training in PLAN.trainings.values()],


# A killed training continues: its checkpoint lies beside the record, which it writes last.
rule train:
    input:
        lambda wildcards: PLAN.trainings[wildcards.stem].inputs,
    output:
        f"{RESULTS}/pretrain/{{stem}}.json",
    log:
        f"{RESULTS}/logs/pretrain/{{stem}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain/{{stem}}.tsv"
    threads: lambda wildcards: PLAN.trainings[wildcards.stem].threads
    resources:
        gpu=int(PLAN.config["device"] != "cpu"),
    params:
        results=results,
        command=lambda wildcards: PLAN.trainings[wildcards.stem].command,
        device=PLAN.config["device"],
        decides=lambda wildcards: or_stop(stale.training, PLAN, wildcards.stem),
    shell:
        "{params.command} --out {params.results:q}/pretrain --device {params.device:q} --threads {threads:q}"
        " > {log:q} 2>&1"
