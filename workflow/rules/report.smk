# From scores to tables and figures.


rule collect:
    input:
        scores=all_scores(),
        runs=all_manifests(),
    output:
        scores=f"{RESULTS}/scores.csv",
        runs=f"{RESULTS}/runs.csv",
    log:
        f"{RESULTS}/logs/collect.log",
    params:
        results=results_folder,
    shell:
        "blindbench collect {input.scores} {input.runs} --results {params.results} > {log} 2>&1"


rule table:
    input:
        scores=f"{RESULTS}/scores.csv",
        runs=f"{RESULTS}/runs.csv",
    output:
        csv=f"{RESULTS}/tables/{{table}}.csv",
        md=f"{RESULTS}/tables/{{table}}.md",
        tex=f"{RESULTS}/tables/{{table}}.tex",
    log:
        f"{RESULTS}/logs/tables/{{table}}.log",
    params:
        results=results_folder,
        datasets=own_datasets,
        caption=PLAN.config["caption"],
        titles=TITLES,
        content=table_content,
    shell:
        "blindbench tables {wildcards.table} --results {params.results} {params.datasets}"
        " --caption {params.caption:q} --titles {params.titles:q} > {log} 2>&1"


rule grid:
    input:
        scores=f"{RESULTS}/scores.csv",
        runs=f"{RESULTS}/runs.csv",
    output:
        multiext(f"{RESULTS}/tables/{{grid}}", ".csv", ".md", ".tex"),
    log:
        f"{RESULTS}/logs/tables/{{grid}}.log",
    params:
        results=results_folder,
        definition=grid_definition,
        caption=PLAN.config["caption"],
        titles=TITLES,
    shell:
        "blindbench grid {wildcards.grid} --definition {params.definition:q} --results {params.results}"
        " --caption {params.caption:q} --titles {params.titles:q} > {log} 2>&1"


rule score_plot:
    input:
        scores=f"{RESULTS}/scores.csv",
        runs=f"{RESULTS}/runs.csv",
    output:
        png=f"{RESULTS}/figures/{{table}}-scores.png",
        pdf=f"{RESULTS}/figures/{{table}}-scores.pdf",
    log:
        f"{RESULTS}/logs/figures/{{table}}-scores.log",
    params:
        results=results_folder,
        datasets=own_datasets,
        titles=TITLES,
        content=table_content,
    shell:
        "blindbench score-plot {wildcards.table} --results {params.results} {params.datasets}"
        " --titles {params.titles:q} > {log} 2>&1"


# A figure shows cases of the first dataset of its table, at the first seed.
rule figure:
    input:
        figure_manifests,
    output:
        png=f"{RESULTS}/figures/{{table}}.png",
        pdf=f"{RESULTS}/figures/{{table}}.pdf",
    log:
        f"{RESULTS}/logs/figures/{{table}}.log",
    wildcard_constraints:
        table="|".join(SHOWN_TABLES),
    params:
        results=results_folder,
        dataset=figure_dataset,
        cases=figure_cases,
        methods=lambda wildcards: ",".join(PLAN.methods_on(figure_dataset(wildcards))),
        seed=PLAN.config["seeds"][0],
        titles=TITLES,
    shell:
        "blindbench figures {wildcards.table} --results {params.results}"
        " --dataset {params.dataset} --cases {params.cases} --methods {params.methods}"
        " --seed {params.seed} --titles {params.titles:q} > {log} 2>&1"


if PLAN.converging:

    rule convergence:
        input:
            scores=all_convergence(),
            runs=f"{RESULTS}/runs.csv",
        output:
            f"{RESULTS}/convergence.csv",
            multiext(f"{RESULTS}/tables/convergence", ".csv", ".md", ".tex"),
            multiext(f"{RESULTS}/figures/convergence", ".png", ".pdf"),
        log:
            f"{RESULTS}/logs/tables/convergence.log",
        params:
            results=results_folder,
            reference=PLAN.reference,
            caption=PLAN.config["caption"],
            titles=TITLES,
        shell:
            "blindbench convergence {input.scores} --reference {params.reference} --results {params.results}"
            " --caption {params.caption:q} --titles {params.titles:q} > {log} 2>&1"


rule sensitivity:
    input:
        f"{RESULTS}/scores.csv",
    output:
        multiext(f"{RESULTS}/tables/sensitivity", ".csv", ".md", ".tex"),
        multiext(f"{RESULTS}/figures/sensitivity", ".png", ".pdf"),
    log:
        f"{RESULTS}/logs/tables/sensitivity.log",
    params:
        results=results_folder,
        datasets=",".join(PLAN.datasets),
        caption=PLAN.config["caption"],
        titles=TITLES,
    shell:
        "blindbench sensitivity --datasets {params.datasets} --results {params.results}"
        " --caption {params.caption:q} --titles {params.titles:q} > {log} 2>&1"


# What it cannot show is said in the figure, in the log, and here.
rule paper_figure:
    input:
        paper_figure_manifests,
    output:
        png=f"{RESULTS}/figures/{{paper_figure}}.png",
        pdf=f"{RESULTS}/figures/{{paper_figure}}.pdf",
    log:
        f"{RESULTS}/logs/figures/{{paper_figure}}.log",
    params:
        results=results_folder,
        options=paper_figure_options,
        note=paper_figure_note,
        caption=PLAN.config["caption"],
        titles=TITLES,
        content=lambda wildcards: repr(paper_figure(wildcards.paper_figure)),
    message:
        "{wildcards.paper_figure}: {params.note}"
    shell:
        "blindbench paper-figure {wildcards.paper_figure} --results {params.results} {params.options}"
        " --caption {params.caption:q} --titles {params.titles:q} > {log} 2>&1"
