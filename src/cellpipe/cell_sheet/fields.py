"""Fields of the cell sheet as data: header, unit, bounds and hint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_MILLIGRAM = {"mg": 1.0, "g": 1e3, "µg": 1e-3, "ug": 1e-3, "kg": 1e6}
_SQUARE_CM = {"cm²": 1.0, "cm2": 1.0, "cm^2": 1.0, "mm²": 1e-2, "mm2": 1e-2, "mm^2": 1e-2}
LARGEST_LOADING = 300.0  # mg/cm²: the bound of a mass above that of a pellet, with the area
_VOLT = {"V": 1.0, "mV": 1e-3}
_MEGAPASCAL = {"MPa": 1.0, "kPa": 1e-3, "bar": 0.1, "GPa": 1e3, "kN/cm²": 10.0}
_MILLIMETRE = {"mm": 1.0, "cm": 10.0, "µm": 1e-3}


@dataclass(frozen=True)
class Field:
    """One column of the cell sheet.

    ``header`` is compared without case, spaces and punctuation; ``aliases`` are accepted too.
    ``units`` maps the units allowed in the header to their factor to ``unit``; ``low`` and ``high``
    are the bounds of a number in that unit; below ``least``, one with three digits behind its comma
    is asked about. ``hint`` describes the value to enter.
    """

    name: str
    header: str
    hint: str
    unit: str = ""
    units: Mapping[str, float] = field(default_factory=dict)
    low: float = 0.0
    high: float = 0.0
    least: float = 0.0
    aliases: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether the field is a number."""
        return self.high > self.low

    @property
    def label(self) -> str:
        """The header with its unit, as in the template."""
        return f"{self.header} / {self.unit}" if self.unit else self.header


FIELDS: tuple[Field, ...] = (
    Field("cell_id", "Cell ID", "a name of your own, e.g. SSB-2026-014", aliases=("Cell", "ID")),
    Field("patterns", "Files", "a file name or pattern, e.g. SSB-2026-014*; several with ; (of a "
          "workbook with several channels: test.xlsx#Channel_7)",
          aliases=("File", "File pattern")),
    Field("configuration", "Configuration", "full, half or symmetric", aliases=("Cell type",)),
    Field("working_electrode", "Working electrode", "e.g. µSi, SiOx, NCM811, anode or cathode"),
    Field("electrode_mass", "Electrode mass", "the whole working electrode composite", "mg",
          _MILLIGRAM, 0.0001, 500),
    Field("active_fraction", "Active fraction", "active material in the composite, by weight", "%",
          {"%": 1.0, "wt%": 1.0, "1": 100.0}, 1, 100),
    Field("active_mass", "Active mass", "active material of the working electrode", "mg",
          _MILLIGRAM, 0.0001, 500),
    Field("cathode_active_mass", "Cathode active mass", "active material of the cathode", "mg",
          _MILLIGRAM, 0.0001, 500),
    Field("anode_active_mass", "Anode active mass", "active material of the anode", "mg",
          _MILLIGRAM, 0.0001, 500),
    Field("area", "Area", "the smaller electrode", "cm²", _SQUARE_CM, 0.01, 500,
          aliases=("Electrode area",)),
    Field("diameter", "Diameter", "of the smaller electrode", "mm", _MILLIMETRE, 1, 200),
    Field("counter_electrode", "Counter electrode", "e.g. Li-In, Li, In, LTO"),
    Field("reference_offset", "Reference offset", "0.62 for Li-In, 0 for Li metal", "V",
          _VOLT, -0.5, 4),
    Field("nominal_capacity", "1C capacity", "what 1C means, e.g. 200 for NCM811 or 3579 for Si",
          "mAh/g", {"mAh/g": 1.0, "Ah/kg": 1.0, "Ah/g": 1e3}, 1, 6000,
          least=20, aliases=("Nominal capacity",)),
    Field("stack_pressure", "Stack pressure", "while cycling", "MPa", _MEGAPASCAL, 0, 2000),
    Field("fabrication_pressure", "Fabrication pressure", "of the pellet", "MPa", _MEGAPASCAL, 0,
          5000),
    Field("temperature", "Temperature", "while cycling", "°C", {"°C": 1.0, "degC": 1.0, "C": 1.0},
          -80, 250),
    Field("lower_voltage", "Lower voltage", "of the window, as measured", "V", _VOLT, -3, 10),
    Field("upper_voltage", "Upper voltage", "of the window, as measured", "V", _VOLT, -3, 10),
    Field("electrolyte", "Electrolyte", "e.g. Li6PS5Cl", aliases=("Solid electrolyte",)),
    Field("cathode", "Cathode", "e.g. NCM811"),
    Field("group", "Group", "replicates share a name here"),
    Field("electrode_composition", "Electrode composition", "by weight, e.g. 60 Si, 35 Li6PS5Cl, "
          "5 C", aliases=("Composition",)),
    Field("silicon", "Silicon", "kind and supplier, e.g. 100 nm, Alfa Aesar"),
    Field("electrolyte_thickness", "Electrolyte thickness", "of the separator", "µm",
          {"µm": 1.0, "um": 1.0, "mm": 1e3}, 1, 5000, aliases=("Separator thickness",)),
    Field("np_ratio", "N/P ratio", "negative over positive capacity per area", low=0.1, high=50),
    Field("confirmed", "Confirmed", "what the report asks to confirm, in its words, e.g. specific "
          "capacity 3900 mAh/g; several with ;"),
    Field("ended", "Ended", "when the test ended, or yes; empty while it runs",
          aliases=("Test ended", "End of test")),
    Field("comment", "Comment", "anything", aliases=("Comments", "Notes", "Remark")),
)  # fmt: skip
REQUIRED = ("cell_id", "patterns", "configuration")
