# From descriptors to observations to restorations to scores.
#
# A job looks up in plan.json what its names mean. What decides its result is its parameter `decides`: when that
# changes, the job runs again; when plan.json alone changes, nothing does.
from benchmark.core.resources import data_folder
from benchmark.data.download import MARKER
from benchmark.planning.plan import TOGETHER


# Only for the sources whose terms the config accepts.
rule download:
    output:
        f"{data_folder()}/{{source}}/{MARKER}",
    log:
        f"{RESULTS}/logs/download/{{source}}.log",
    shell:
        "blindbench download {wildcards.source:q} --accept-terms > {log:q} 2>&1"


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
        "blindbench synthesize {wildcards.dataset:q} --results {params.results:q} > {log:q} 2>&1"


# One job per shard: a few cases of a method. This one runs on the CPU, the next on a GPU.
rule restore:
    input:
        lambda wildcards: PLAN.restore_inputs(wildcards.method, int(wildcards.shard)),
    output:
        f"{RESULTS}/records/{{method}}/{{shard}}.json",
    log:
        f"{RESULTS}/logs/restore/{{method}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/restore/{{method}}/{{shard}}.tsv"
    wildcard_constraints:
        method=one_of([name for name in PLAN.methods if name not in PLAN.on_gpu]),
    threads: 1
    resources:
        runtime=minutes_of_job,
    params:
        results=results,
        decides=lambda wildcards: stale.restorations(
            PLAN, wildcards.method, int(wildcards.shard)
        ),
    shell:
        "blindbench restore {wildcards.method:q} --shard {wildcards.shard:q}"
        " --results {params.results:q} --threads {threads:q} > {log:q} 2>&1"


use rule restore as restore_on_gpu with:
    wildcard_constraints:
        method=one_of(PLAN.on_gpu),
    resources:
        gpu=1,
        runtime=minutes_of_job,


rule score:
    input:
        lambda wildcards: PLAN.score_inputs(wildcards.method, int(wildcards.shard)),
    output:
        scores=f"{RESULTS}/scores/{{method}}/{{shard}}.csv",
    log:
        f"{RESULTS}/logs/score/{{method}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score/{{method}}/{{shard}}.tsv"
    wildcard_constraints:
        method=one_of(
            [name for name in PLAN.scored_alone if name not in PLAN.converging]
        ),
    threads: 1
    params:
        results=results,
        decides=lambda wildcards: stale.scores(
            PLAN, wildcards.method, int(wildcards.shard)
        ),
    shell:
        "blindbench score {wildcards.method:q} --shard {wildcards.shard:q}"
        " --results {params.results:q} --threads {threads:q} > {log:q} 2>&1"


# The same for methods with snapshots, whose scores are a second file.
use rule score as score_with_snapshots with:
    output:
        scores=rules.score.output.scores,
        convergence=f"{RESULTS}/convergence/{{method}}/{{shard}}.csv",
    wildcard_constraints:
        method=one_of(PLAN.converging),


# One job for several methods with few cases each: to load the metrics takes longer than to compute them.
for number, group in enumerate(PLAN.scored_together):
    step = PLAN.score_step(group)

    rule:
        name:
            f"{TOGETHER}{number}"
        input:
            step.inputs,
        output:
            step.outputs,
        log:
            f"{RESULTS}/logs/score/together/{number}.log",
        benchmark:
            f"{RESULTS}/benchmarks/score/together/{number}.tsv"
        threads: 1
        params:
            results=results,
            methods=group,
            decides=lambda wildcards, group=group: [
                stale.scores(PLAN, method, 0) for method in group
            ],
        shell:
            "blindbench score {params.methods:q}"
            " --results {params.results:q} --threads {threads:q} > {log:q} 2>&1"
