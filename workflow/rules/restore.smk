# From descriptors to observations to restorations to scores.
#
# A job looks up in plan.json what its names mean. What decides its result is its parameter `decides`: when that
# changes, the job runs again; when plan.json alone changes, nothing does.
from benchmark.core.resources import data_folder
from benchmark.data.download import MARKER


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
        lambda wildcards: PLAN.observation_inputs(wildcards.dataset),
    output:
        f"{RESULTS}/observations/{{dataset}}/manifest.json",
    log:
        f"{RESULTS}/logs/synthesize/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/synthesize/{{dataset}}.tsv"
    params:
        results=results,
        decides=lambda wildcards: stale.observations(PLAN, wildcards.dataset),
    shell:
        "blindbench synthesize {wildcards.dataset} --results {params.results} > {log} 2>&1"


# One job per shard: a few cases of a dataset.
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
        results=results,
        decides=lambda wildcards: stale.restorations(
            PLAN, wildcards.dataset, wildcards.method, int(wildcards.shard)
        ),
    shell:
        "blindbench restore {wildcards.dataset} {wildcards.method} --seed {wildcards.seed}"
        " --shard {wildcards.shard} --results {params.results} --threads {threads} > {log} 2>&1"


rule score:
    input:
        lambda wildcards: PLAN.manifests(
            Run(wildcards.dataset, wildcards.method, int(wildcards.seed))
        ),
    output:
        scores=f"{RESULTS}/scores/{{dataset}}/{{method}}/seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/score/{{dataset}}/{{method}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score/{{dataset}}/{{method}}/seed{{seed}}.tsv"
    wildcard_constraints:
        method=one_of([name for name in PLAN.methods if name not in PLAN.converging]),
    threads: 1
    params:
        results=results,
        decides=lambda wildcards: stale.scores(
            PLAN, wildcards.dataset, wildcards.method
        ),
    shell:
        "blindbench score {wildcards.dataset} {wildcards.method} --seed {wildcards.seed}"
        " --results {params.results} --threads {threads} > {log} 2>&1"


# The same for methods with snapshots, whose scores are a second file.
use rule score as score_with_snapshots with:
    output:
        scores=rules.score.output.scores,
        convergence=f"{RESULTS}/convergence/{{dataset}}/{{method}}/seed{{seed}}.csv",
    wildcard_constraints:
        method=one_of(PLAN.converging),
