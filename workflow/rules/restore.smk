# From descriptors to observations to restorations to scores.


# Only for the sources whose terms the config accepts.
rule download:
    output:
        f"{data_folder()}/{{source}}/{MARKER}",
    log:
        f"{RESULTS}/logs/download/{{source}}.log",
    shell:
        "blindbench download {wildcards.source} --accept-terms > {log} 2>&1"


rule synthesize:
    input:
        downloaded,
    output:
        f"{RESULTS}/observations/{{dataset}}/manifest.json",
    log:
        f"{RESULTS}/logs/synthesize/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/synthesize/{{dataset}}.tsv"
    params:
        results=results_folder,
        experiment_seed=PLAN.config["experiment_seed"],
        cases=all_cases,
        observations=lambda wildcards: PLAN.observations_hash(wildcards.dataset),
    shell:
        "blindbench synthesize {wildcards.dataset} --cases {params.cases:q} --results {params.results}"
        " --experiment-seed {params.experiment_seed} > {log} 2>&1"


# One job per shard. Whatever decides a result is a parameter, so a change re-runs its cases and no others.
rule restore:
    input:
        f"{RESULTS}/observations/{{dataset}}/manifest.json",
    output:
        f"{RESULTS}/restorations/{{dataset}}/{{method}}/seed{{seed}}/shard{{shard}}.json",
    log:
        f"{RESULTS}/logs/restore/{{dataset}}/{{method}}/seed{{seed}}.shard{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/restore/{{dataset}}/{{method}}/seed{{seed}}.shard{{shard}}.tsv"
    threads: 1
    resources:
        gpu=int(PLAN.config["device"] != "cpu"),
    params:
        results=results_folder,
        cases=shard_cases,
        settings=lambda wildcards: json.dumps(
            PLAN.methods[wildcards.method].settings, sort_keys=True
        ),
        code=lambda wildcards: PLAN.methods[wildcards.method].code,
        files=lambda wildcards: PLAN.files_hash(
            wildcards.method, shard_cases(wildcards).split(",")
        ),
        observations=lambda wildcards: PLAN.observations_hash(wildcards.dataset),
        experiment_seed=PLAN.config["experiment_seed"],
        snapshots=snapshots,
        device=PLAN.config["device"],
        jobs_per_gpu=PLAN.config["jobs_per_gpu"],
    shell:
        "blindbench restore {wildcards.dataset} {wildcards.method} --cases {params.cases}"
        " --results {params.results} --seed {wildcards.seed} --shard {wildcards.shard}"
        " --settings {params.settings:q} --experiment-seed {params.experiment_seed}"
        " {params.snapshots}"
        " --device {params.device} --jobs-per-gpu {params.jobs_per_gpu}"
        " --threads {threads} > {log} 2>&1"


rule score:
    input:
        lambda wildcards: manifests(wildcards.dataset, wildcards.method, wildcards.seed),
    output:
        scores=f"{RESULTS}/scores/{{dataset}}/{{method}}/seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/score/{{dataset}}/{{method}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score/{{dataset}}/{{method}}/seed{{seed}}.tsv"
    wildcard_constraints:
        method=one_of(
            method for method in PLAN.methods if method not in PLAN.converging
        ),
    threads: 1
    params:
        results=results_folder,
        cases=all_cases,
        protocol=protocol,
        metrics=",".join(PLAN.config["metrics"]),
        without_weights=metrics_without_weights,
        snapshots="",
    shell:
        "blindbench score {wildcards.dataset} {wildcards.method} --cases {params.cases}"
        " --results {params.results} --seed {wildcards.seed} --protocol {params.protocol}"
        " --metrics {params.metrics} --threads {threads} --out {output.scores} {params.snapshots} > {log} 2>&1"


# The same, and what the estimates on the way score.
use rule score as score_with_snapshots with:
    output:
        scores=rules.score.output.scores,
        convergence=f"{RESULTS}/convergence/{{dataset}}/{{method}}/seed{{seed}}.csv",
    wildcard_constraints:
        method=one_of(PLAN.converging),
    params:
        snapshots=lambda wildcards, output: f"{snapshots(wildcards)} --convergence {output.convergence}",
