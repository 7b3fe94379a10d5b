"""What the numbers in sentences and in figures mean: the second half of the vocabulary."""

from __future__ import annotations

from shown_words import STANDING

# About one cell; names are columns of its row of the table ``cells`` where no table is named.
_LAW = "rate {law.rate_ohm_per_hour_to_the_m} ± {=law_band rate_standard_error} Ω/h^½ (95 %)"
_ARC = (
    "{{!a process}} {{=last_arc {0} resistance_ohm}} ± "
    "{{=last_arc {0} resistance_standard_error_ohm}} Ω "
    "({{=last_arc {0} process_probability:%}}%)"
)
_ARCS = ", ".join(map(_ARC.format, "01"))
# of the review's text, held against it where the figures are tried
PUBLISHED = ("[{#reference}]", "{##a system} [{#reference}]")
SENTENCES = (
    "{cell_id}",
    "cycle {initial_cycle}: {%direction_of_efficiency}",
    "{%kind} · {%parts_of_sheet}[[ · {cell_sheet.stack_pressure_mpa} MPa stack "
    "pressure]] · {cell_sheet.temperature_celsius} °C",
    "per {capacity_basis}[[; {first_areal_discharging_capacity_mah_per_cm2} mAh/cm² by area]]",
    "cycle {retention_cycle} over cycle {retention_reference_cycle}",
    "cycle {retention_cycle} over cycle {retention_reference_cycle}, the initial",
    "cycle {retention_at_rate_cycle} over cycle {retention_at_rate_reference_cycle}, the first "
    "after formation[[; check cycle {check_cycle} over cycle {check_reference_cycle}: "
    "{check_retention:%} %]][[; fade {fade_per_cycle:%} % per cycle]]",
    "Fade: From cycle {capacity_fade.first_cycle} to {capacity_fade.last_cycle} at the usual "
    "rate, {!the shape}: {capacity_fade.fade_per_cycle:%} % ({#level} %: "
    "{capacity_fade.fade_per_cycle_low:%} % to {capacity_fade.fade_per_cycle_high:%} %) lost per "
    "cycle[[ on average]]. {#limit} % {!words}[[{capacity_fade.end_of_life_cycle}]]"
    "[[{capacity_fade.horizon_cycle} {!words}]][[.]]",
    "Fade: From cycle {capacity_fade.first_cycle} to {capacity_fade.last_cycle} at the usual "
    "rate, {!the shape}: {capacity_fade.fade_per_cycle:%} % ({#level} %: "
    "{capacity_fade.fade_per_cycle_low:%} % to {capacity_fade.fade_per_cycle_high:%} %) lost per "
    "cycle. {#limit} % is not reached, and if the slope stays not before cycle "
    "{#the earliest or the last that is looked at}; {!words}{capacity_fade.horizon_cycle}.",
    "{initial_remark}",
    "{mean_efficiency_remark}",
    "over cycle {retention_reference_cycle}",
    "of the usual rate ({usual_rate_cycles} cycles)[[, 95 % interval {fade_per_cycle_low:%}% to "
    "{fade_per_cycle_high:%}%]]",
    "{complete_cycles} complete",
    "complete cycles after the first, without formation",
    "standard deviation, complete cycles after the first, without formation",
    STANDING,
    f"Beside published cells: {STANDING} All of them",
    "This cell: {~baseline_comparison.cell_conditions}.",
    "{=count findings severity note} note[[s]]",
    "{~findings.sentence} (since {##a day})",
    "Check: {~findings.sentence} (since {##a day})",
    "{#how many rows are folded} rows between",
    # figures: what is read to those who can't see them, captions, marks
    "[[State {#which}: ]]From spectrum {%change}.",
    "[[Specific capacity]][[Capacity]] and Coulombic efficiency of {cycles} cycles",
    "{!two quantities} for {%cycles}",
    "What was done with the cell, in {=count protocol_segments} stretch[[es]]",
    "{=peaks} peaks of dQ/dV by cycle",
    "Nyquist plot of {%spectra}",
    "Interfacial resistance in Ω cm² of {spectra} spectra",
    "Retention by cycle, beside {=compared} published cells",
    "First discharge capacity beside {=with_capacity} published cells",
    "Arcs of spectrum {spectra}: " + _ARCS,
    "{!charge or discharge} upwards, discharge downwards. Grid of {=range grid_step_volt low:mV} "
    "mV, smoothed with a Gaussian of {=range smoothing_volt low:mV} to {=range smoothing_volt high:"
    "mV} mV standard deviation.[[ The axis is cut: {%reaches}.]]",
    "First position, then height of peaks that are followed through at least 3 cycles. {!words}",
    "The cell was not discharged at 3 rates or more.",
    "[[{#how many are drawn, at most six} of {spectra} spectra. ]]Points: measured, lines: fit of "
    "{~interfacial_resistance.circuit}, equal axes. Below: measured minus fitted relative to |Z|; "
    "the axis holds 99 % of the residuals.",
    "Left: spectrum {spectra} with its arcs (" + _ARCS + "), {!words}",
    "Left: as measured. Right: plus {cell_sheet.reference_offset_volt} V (from the cell sheet). "
    "{!words}",
    "Bars: one standard error of the fit; {!words} Orange: the law, where one describes it, with "
    "the band of 95 % of its rate if it is a square root or a straight line. It grows with the "
    "square root of time (probability [[{law.law_probability:%}%]][[above 99%]]), "
    f"{_LAW}; free exponent {{law.exponent}} ± "
    "{=law_band exponent_standard_error}.[[ {!clock} (probability "
    "[[{law.clock_probability:%}%]][[above 99%]]).]][[ {!which clocks} told apart.]]",
    "Discharge capacity over the first discharge. Published cells start at 100 % in cycle 1; "
    "{!words}",
    "{%spectra}",
    "{%cycles}",
    "[[{!direction and step}, ]]near {%peak} V",
    "[[discharge]][[charge]], {!step} near {%peak} V",
    "{~baselines.first_author_year}",
    "▽ below the axis: {%lie_below}",
    "{%rate}C",
    "called {##a name} in formulas",
    "{!where it is from}; called {##a name} in formulas",
    # alarms of the digest
    "[[Alarm: ]]The capacity is at {capacity_retention_at_rate:%} % of its reference (cycle "
    "{retention_at_rate_cycle} over cycle {retention_at_rate_reference_cycle} at the usual rate; "
    "limit {#set} %).[[ (since {##a day})]]",
    "The interfacial resistance has grown to {=growth} times the first "
    "({last_interfacial_resistance_ohm} ± {last_interfacial_resistance_standard_error_ohm} Ω from "
    "{first_interfacial_resistance_ohm} ± {first_interfacial_resistance_standard_error_ohm} Ω; "
    "limit {#set}).",
    "The Coulombic efficiency is {=latest_median:%} % (median of the cycles {=latest 0} to "
    "{=latest 2}; limit {#set} %).",
    "The discharge capacity fell by {%sudden_loss} (limit {#set} % from one cycle to the next at "
    "the same rate).",
    # what is no result
    "Table 1 of Molaiyan et al., eTransportation 23 (2025) 100391, 10.1016/j.etran.2024.100391, CC "
    "BY 4.0, {!what the table is}",
    "Made with {##versions of programs}",
    "Written by cellpipe {##its version}[[. {!where more is}]]",
    "cellpipe: {cell_id}",
    *PUBLISHED,
    "Colour: {##the legend} Stack pressure here: {cell_sheet.stack_pressure_mpa} MPa; {##printed}.",
    "Colour: {##the legend} The cell sheet gives no stack pressure; {##printed}.",
)

# About the lab.
LAB_SENTENCES = (
    "Since yesterday (first seen in the {#hours of a day} hours before the run of {##a day} (UTC))",
    "New: {=count cells} cells: {%cells}",
    "Bad: {=count files status set_aside} files set aside: {##their paths}",
    "Dying: new alarms of {=count findings severity alarm} cell: {##its name}",
    "{##a cell}: {~findings.sentence}",
    "{##a cell without a page}: No usable file was found for this row of the sheet.",
    "{=count cells} cells from {=count files status used} raw files; "
    "{=count files status set_aside} files could not be used",
    "The newest raw file was written on {=newest} UTC.",
    "Check: {~findings.sentence}",
    "Discharge capacity, cycles 1 to {#the cell's cycles, a name of a drawing}, from zero",
    "Written by cellpipe {##its version}.",
    *PUBLISHED,
    "{~baselines.first_author_year}",
    "{~cells.cell_id}",
    "Colour: {##the legend} Stack pressure here: {##lowest and highest} MPa{##}; {##printed}.",
    "Diamonds: {!words} A bar is the median. {#left out} of {=count cells} cells are not drawn: "
    "{!reasons}",
    "This lab's cell / published cell in per cent, {!how the table is read} as in Table 1; "
    "{!words} Table 1 of {!authors} 10.1016/j.etran.2024.100391; {!whose rows they are}",
    "Kind{!kinds and times to choose from}in the last 7 days{!a box to tick}",
    # the page of several cells
    "Complete cycles. Over cycle {=reference}.",
    "Cycle {=last_common}, the last that all have completed. {!words}",
    "Voltage profiles of cycle {=last_common}",
    "Last spectra of {#how many have some} cells",
    "{!a quantity} of {#how many are drawn} cells by cycle",
    "Check: {!a field} is not the same for all: {%conditions}.",
    # the digest
    "cellpipe: {=count cells} cells computed, {#alarms: they stand in the ledger} alarms, "
    "{=count files status set_aside} set aside",
    "{##when} UTC; since {##when}: {#files since then} files read, {=count cells} cells computed.",
    "cellpipe, {##a time} UTC. Results: {##a path}",
    "Since {##a time}: {#files since then} files read, {=count cells} cells computed.",
    "{!a section} ({#how many lines follow}):",
    "{%cells}:",
    "{~files.path}: {~files.reason}",
    "{%cells}",
    "Mean ± standard deviation (n − 1) of the cells that have the number; from three cells on the "
    "median, and the ordered values that hold the true one with the chance given. Stands apart: "
    "modified z beyond {#Iglewicz and Hoaglin's limit} (Iglewicz and Hoaglin), of three cells "
    "outside the {#level} % interval of the two others (Student). {!words}",
)
