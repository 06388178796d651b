"""What each command does, in a line: the list of commands is shown without loading them."""

from __future__ import annotations

from collections.abc import Mapping

LONGEST = 72
"""Characters of a line; the list of commands has no room for more."""

SUMMARIES: Mapping[str, str] = {
    "demo": "Run the whole exchange with sample cases that come in through its...",
    "serve": "Run the exchange until SIGTERM or Ctrl-C, then drain and stop.",
    "status": "Show the spool, the store, deliveries, dead letters and when each...",
    "prepare": "Bring the database up to date, and make the bucket when it is not...",
    "health": "Say whether the processes KINDS (with commas) do well here; for the...",
    "drain": "Pack what lies in the data folders of the pool that no process holds...",
    "site": "Sites: the organisations that take part.",
    "ae": "Application entities: the DICOM nodes of the sites.",
    "user": "People who sign in.",
    "token": "Bearer tokens for machine clients.",
    "device": "Devices: the dermatoscopes and cameras that a site takes pictures with.",
    "order": "Orders: what the modality worklist is made of.",
    "hl7": "HL7: the systems that send orders.",
    "import": "Read DICOM from files, folders and ZIPs, through the same intake as...",
    "node": "Nodes: the data folders that work as one exchange.",
    "send": "Forward a study; it is queued and retried until it has arrived.",
    "route": "Routing rules: which studies go to which node by themselves.",
    "channel": "Reply channels: how signed replies reach systems that are no DICOM...",
    "outbox": "What goes out: studies and replies on their way, and what was given up.",
    "commitments": "List storage commitments that are not reported yet, or report one again.",
    "template": "Templates of findings: the forms in which the readers of a centre write.",
    "prior-rule": "Earlier studies: which are fetched from the sites' own archives when...",
    "prior-replay": "Put a question or a fetch of earlier studies that was given up back...",
    "second-reading": "Say which cases of SPECIALTY are read by two, or show the rules.",
    "statistics": "Count how cases went, by specialty and site: CSV, or JSON.",
    "verify": "Hash every object again and compare with the index, both ways; then...",
    "backup": "Put the casebook into the store: people, cases, reports, audit, and...",
    "rebuild": "Restore the index and the newest casebook from the store alone; goes...",
    "erase": "Erase a study or a patient for good: images, cases, copies, packs,...",
    "hold": "Legal holds: what is held can be erased by nobody.",
    "retention": "Retention: how long what a site has sent is kept.",
    "mirror": "Show how far the mirror is behind the store; the worker keeps it up.",
    "export": "Write one case whole: images, referral, conversation, reports, ledger.",
    "wrap": "Make a DICOM object of a photograph or a short film, offline.",
    "assess": "Give the quality advice for photographs and short films.",
    "scale-card": "Write the scale card as a page to print (PDF).",
}
"""How the first sentence of each command's own help begins."""
