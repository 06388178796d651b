"""The sites of CID 4029 (Dermatology Anatomic Sites, PS3.16) as text: data only, read by `anatomy`.

A block for each part of the pick list: `[region view BODY PART]`, then its sites, one on a line:
scheme, code, `*` for a site that is asked for often, `2` for one that lies on both sides, then the
standard's meaning and the Norwegian name.
"""

from __future__ import annotations

TABLE = """
[head front HEAD]
SCT 70762009  -1 Skin of head | Hodet
SCT 73897004  *1 Skin of face | Ansiktet
SCT 68698007  *1 Skin of forehead | Pannen
SCT 16621002  *2 Skin of temporal region | Tinningen
SCT 367577003 -2 Skin of eyebrow | Øyenbrynet
SCT 36141000  *2 Skin of cheek | Kinnet
DCM 130314    -2 Skin of paranasal cheek | Kinnet ved nesen
SCT 37108007  *2 Skin of nasolabial fold | Nasolabialfolden
SCT 23747009  *1 Skin of chin | Haken
SCT 34926004  -1 Skin of submental area | Under haken
SCT 244097004 *2 Skin of jawline | Kjevelinjen
SCT 110488009 -1 Skin of perioral region of face | Rundt munnen
SCT 84365009  -1 Skin of philtrum | Filtrum
[head back HEAD]
SCT 43067004  *1 Skin of scalp | Hodebunnen
SCT 61719002  *1 Skin of vertex of scalp | Issen
SCT 21672008  -2 Skin of parietal region | Isseregionen
SCT 79951008  *1 Skin of occipital region | Bakhodet
SCT 386045008 -1 Hair | Håret
[nose front FACE]
SCT 113179006 *1 Skin of nose | Nesen
FMA 59532     *1 Skin of dorsum of nose | Neseryggen
SCT 79283007  *1 Skin of tip of nose | Nesetippen
SCT 314395006 *2 Skin of side of nose | Siden av nesen
SCT 68598004  *2 Skin of ala nasi | Nesevingen
DCM 130312    -2 Skin of infraalar groove | Furen under nesevingen
[eye front FACE]
SCT 362916000 *2 Skin of eye region | Øyeregionen
SCT 41310005  *2 Skin of upper eyelid | Øvre øyelokk
SCT 40069000  *2 Skin of lower eyelid | Nedre øyelokk
DCM 130322    -2 Skin of upper eyelid margin | Kanten av øvre øyelokk
DCM 130311    -2 Skin of lower eyelid margin | Kanten av nedre øyelokk
SCT 27887005  *2 Skin of medial canthus | Indre øyekrok
SCT 37671003  -2 Skin of lateral canthus | Ytre øyekrok
DCM 130306    -2 Skin of caruncle of eye | Tårekarunkelen
SCT 85803001  -2 Eyelash | Øyevippene
SCT 28726007  -2 Cornea | Hornhinnen
SCT 18619003  -2 Sclera | Senehinnen
SCT 41296002  -2 Iris | Regnbuehinnen
SCT 5665001   -2 Retina | Netthinnen
[ear side HEAD]
SCT 1902009   *2 Skin of ear | Øret
SCT 86719006  *2 Skin of preauricular region | Foran øret
SCT 24483006  *2 Skin of postauricular region | Bak øret
SCT 79313003  *2 Skin of helix of ear | Ørekanten (helix)
DCM 130305    -2 Skin of anterior helix of ear | Fremre del av ørekanten
DCM 130315    -2 Skin of posterior helix of ear | Bakre del av ørekanten
DCM 130307    -2 Skin of inferior helix of ear | Nedre del av ørekanten
DCM 130319    -2 Skin of superior posterior helix of ear | Øvre bakre del av ørekanten
DCM 130318    -2 Skin of superior antihelix of ear | Øverste del av antihelix
DCM 130321    -2 Skin of upper antihelix of ear | Øvre del av antihelix
DCM 130310    -2 Skin of lower antihelix of ear | Nedre del av antihelix
SCT 57726007  -2 Skin of crus of helix | Crus helicis
SCT 2059009   *2 Skin of ear lobule | Øreflippen
DCM 130316    -2 Skin of posterior lobule of the ear | Baksiden av øreflippen
DCM 130320    -2 Skin of superior posterior surface of the pinna | Øvre del av ørets bakside
DCM 130308    -2 Skin of inferior posterior surface of the pinna | Nedre del av ørets bakside
SCT 79502000  -2 Skin of tragus | Tragus
SCT 38407007  -2 Skin of antitragus | Antitragus
SCT 45591000  -2 Skin of intertragal incisure | Hakket under tragus
SCT 51098001  -2 Skin of cavity of concha | Ørehulen (concha)
SCT 86409001  -2 Skin of external auditory canal | Ytre øregang
[mouth front FACE]
SCT 88089004  *1 Skin of lip | Leppen
SCT 16251004  *1 Skin of upper lip | Overleppen
SCT 66934001  *1 Skin of lower lip | Underleppen
FMA 312647    -1 Skin of vermilion proper of upper lip | Det røde av overleppen
FMA 312651    *1 Skin of vermilion proper of lower lip | Det røde av underleppen
SCT 18444004  -1 Mucosa of upper lip | Slimhinnen på overleppen
SCT 46353006  -1 Mucosa of lower lip | Slimhinnen på underleppen
SCT 113277000 *1 Oral mucosa | Munnslimhinnen
SCT 8001006   *1 Mucosa of tongue | Tungen
SCT 245831007 -1 Mucosa of tip of tongue | Tungespissen
FMA 281534    -1 Mucosa of dorsum of oral part of tongue | Tungeryggen, fremre del
FMA 281537    -1 Mucosa of dorsum of pharyngeal part of tongue | Tungeryggen, bakre del
SCT 36152006  -1 Mucosa of floor of mouth | Munngulvet
SCT 245814000 -1 Mucosa of maxillary gingiva | Tannkjøttet i overkjeven
SCT 245823002 -1 Mucosa of mandibular gingiva | Tannkjøttet i underkjeven
FMA 289677    -1 Mucosa of oral segment of hard palate | Den harde ganen
FMA 60030     -1 Mucosa of uvula | Drøvelen
FMA 60031     -2 Mucosa of palatoglossal arch | Fremre ganebue
FMA 55060     -1 Mucosa of posterior wall of oropharynx | Bakre svelgvegg
FMA 55031     -1 Mucosa of pharynx | Svelget
SCT 38199008  -1 Tooth | Tann
[neck front NECK]
SCT 43081002  *1 Skin of neck | Halsen
SCT 11584001  *1 Skin of anterior portion of neck | Forsiden av halsen
SCT 5272005   *2 Skin of lateral portion of neck | Siden av halsen
SCT 182329002 -2 Anterior triangle of neck | Fremre halstrekant
SCT 5713008   -2 Submandibular triangle | Under kjeven
SCT 76072005  *2 Skin of supraclavicular region of neck | Over kragebeinet
[neck back NECK]
SCT 4658004   *1 Skin of nuchal region | Nakken
DCM 130300    -2 Skin of paraspinal area of the neck | Nakken ved ryggraden
[trunk front CHEST]
SCT 181491009 *1 Skin of anterior trunk | Forsiden av kroppen
SCT 54440003  -1 Skin of upper trunk | Overkroppen
SCT 244106003 *1 Skin of anterior surface of thorax | Brystet
SCT 244107007 *1 Sternal skin | Over brystbeinet
SCT 66288003  *2 Skin of infraclavicular region | Under kragebeinet
SCT 699915001 -2 Skin of lower chest wall | Nedre del av brystveggen
SCT 76261009  *2 Skin of axilla | Armhulen
SCT 72005009  -2 Skin of areola | Brystvortegården
SCT 54468004  *2 Skin of nipple | Brystvorten
FMA 61426     -2 Skin of upper inner quadrant of breast | Brystets øvre indre kvadrant
FMA 61427     -2 Skin of lower inner quadrant of breast | Brystets nedre indre kvadrant
FMA 61423     -2 Skin of lower outer quadrant of breast | Brystets nedre ytre kvadrant
FMA 61439     -1 Skin of upper outer quadrant of left breast | Venstre brysts øvre ytre kvadrant
[trunk front ABDOMEN]
SCT 75093004  *1 Skin of abdomen | Magen
SCT 699935000 *1 Skin of upper abdomen | Øvre del av magen
SCT 699914002 *1 Skin of lower abdomen | Nedre del av magen
SCT 30598005  -1 Skin of epigastric area | Mellomgulvet
SCT 315003    *1 Skin of umbilicus | Navlen
SCT 367578008 -1 Skin of hypogastric region | Under navlen
SCT 39687006  *2 Skin of inguinal region | Lysken
SCT 280387007 -2 Groin skin crease | Lyskefuren
[trunk back BACK]
SCT 66643007  *1 Skin of back | Ryggen
FMA 49943     *1 Skin of back of trunk | Baksiden av kroppen
SCT 244111001 *1 Skin of posterior surface of thorax | Øvre del av ryggen
SCT 699893008 -1 Skin of back of upper thoracic region | Ryggen mellom skuldrene
DCM 130323    *1 Skin of mid back | Midt på ryggen
SCT 113182001 *1 Skin of lower back | Korsryggen
DCM 130301    -2 Skin of paraspinal area of the superior back | Øvre rygg ved ryggraden
DCM 130302    -2 Skin of upper paraspinal region | Ved ryggraden, øverst
DCM 130303    -2 Skin of mid paraspinal region | Ved ryggraden, midt på
DCM 130304    -2 Skin of lower paraspinal region | Ved ryggraden, nederst
SCT 22180002  *2 Skin of buttock | Setet
SCT 63029009  -2 Skin of gluteal fold | Setefuren
[arm front ARM]
SCT 371311000 *2 Skin of upper extremity | Armen
SCT 45981001  *2 Skin of anterior surface of upper arm | Overarmen, forsiden
[arm back ARM]
SCT 72939005  *2 Skin of posterior surface of upper arm | Overarmen, baksiden
SCT 181536004 *2 Skin of posterior surface of elbow | Albuen
SCT 41550009  *2 Skin of posterior surface of forearm | Underarmen, baksiden
[arm front ARM]
SCT 17957002  *2 Skin of antecubital fossa | Albuebøyen
SCT 70559009  *2 Skin of anterior surface of forearm | Underarmen, forsiden
[hand back HAND]
SCT 33712006  *2 Skin of hand | Hånden
SCT 281642007 *2 Skin of part of dorsal surface of hand | Håndryggen
SCT 52876008  *2 Skin of dorsal area of wrist | Håndleddet, oversiden
SCT 244169007 *2 Skin of digit of hand | Fingeren
FMA 38321     -2 Skin of dorsal part of thumb | Tommelen, oversiden
FMA 38324     -2 Skin of dorsal part of index finger | Pekefingeren, oversiden
FMA 38327     -2 Skin of dorsal part of middle finger | Langfingeren, oversiden
FMA 38330     -2 Skin of dorsal part of ring finger | Ringfingeren, oversiden
FMA 38333     -2 Skin of dorsal part of little finger | Lillefingeren, oversiden
[hand front HAND]
SCT 70887009  *2 Skin of palm of hand | Håndflaten
SCT 26795005  -2 Skin of thenar region of palm | Tommelballen
SCT 89784008  -2 Skin of hypothenar region of palm | Lillefingerballen
SCT 24527008  *2 Skin of palmar area of wrist | Håndleddet, undersiden
FMA 38341     -2 Skin of palmar part of thumb | Tommelen, undersiden
FMA 38344     -2 Skin of palmar part of index finger | Pekefingeren, undersiden
FMA 38347     -2 Skin of palmar part of middle finger | Langfingeren, undersiden
FMA 38354     -2 Skin of palmar part of ring finger | Ringfingeren, undersiden
FMA 38357     -2 Skin of palmar part of little finger | Lillefingeren, undersiden
[nail side HAND]
SCT 770809003 *2 Nail unit of finger | Fingerneglen
SCT 770810008 *2 Nail unit of thumb | Tommelneglen
SCT 770815003 -2 Nail unit of index finger | Pekefingerneglen
SCT 770816002 -2 Nail unit of middle finger | Langfingerneglen
SCT 770817006 -2 Nail unit of ring finger | Ringfingerneglen
SCT 770818001 -2 Nail unit of little finger | Lillefingerneglen
[nail side FOOT]
SCT 770805009 *2 Nail unit of toe | Tåneglen
SCT 770822006 *2 Nail unit of great toe | Stortåneglen
SCT 770823001 -2 Nail unit of second toe | Neglen på andre tå
SCT 770825008 -2 Nail unit of third toe | Neglen på tredje tå
SCT 770821004 -2 Nail unit of fourth toe | Neglen på fjerde tå
SCT 770820003 -2 Nail unit of fifth toe | Lilletåneglen
[leg front LEG]
SCT 371304004 *2 Skin of lower extremity | Benet
SCT 61248009  *2 Skin of anterior surface of thigh | Låret, forsiden
SCT 73958006  *2 Skin of medial surface of thigh | Låret, innsiden
SCT 181553006 *2 Skin of anterior surface of knee | Kneet
SCT 25763004  *2 Skin of anterior surface of lower leg | Leggen, forsiden
[leg back LEG]
SCT 4578000   *2 Skin of posterior surface of thigh | Låret, baksiden
SCT 84507004  *2 Skin of popliteal fossa | Knehasen
SCT 47224004  *2 Skin of posterior surface of lower leg | Leggen, baksiden
[foot front FOOT]
SCT 60496002  *2 Skin of foot | Foten
SCT 181563003 *2 Skin of medial aspect of ankle | Ankelen, innsiden
SCT 181564009 *2 Skin of lateral aspect of ankle | Ankelen, utsiden
DCM 130313    *2 Skin of medial part of dorsum of foot | Fotryggen, innerst
DCM 130309    *2 Skin of lateral part of dorsum of foot | Fotryggen, ytterst
SCT 52034004  *2 Skin of toe | Tåen
FMA 37873     -2 Skin of dorsal part of great toe | Stortåen, oversiden
FMA 37876     -2 Skin of dorsal part of second toe | Andre tå, oversiden
FMA 37879     -2 Skin of dorsal part of third toe | Tredje tå, oversiden
FMA 37882     -2 Skin of dorsal part of fourth toe | Fjerde tå, oversiden
FMA 37885     -2 Skin of dorsal part of fifth toe | Lilletåen, oversiden
[foot sole FOOT]
DCM 130317    *2 Skin of sole of forefoot | Forfoten, undersiden
SCT 52953006  -2 Skin of medial border of sole of foot | Fotsålens indre kant
SCT 35739000  -2 Skin of lateral border of sole of foot | Fotsålens ytre kant
SCT 84607009  *2 Skin of heel | Hælen
SCT 699919007 -2 Skin of medial part of heel | Hælen, innsiden
SCT 699909001 -2 Skin of lateral part of heel | Hælen, utsiden
FMA 38107     -2 Skin of plantar part of great toe | Stortåen, undersiden
FMA 38110     -2 Skin of plantar part of second toe | Andre tå, undersiden
FMA 38113     -2 Skin of plantar part of third toe | Tredje tå, undersiden
FMA 38116     -2 Skin of plantar part of fourth toe | Fjerde tå, undersiden
FMA 38119     -2 Skin of plantar part of fifth toe | Lilletåen, undersiden
[genital front PELVIS]
SCT 60944009  *1 Skin of external genitalia | Ytre kjønnsorganer
SCT 35900000  *1 Skin of penis | Penis
SCT 244117002 -1 Skin of root of penis | Penisroten
SCT 244118007 -1 Skin of shaft of penis | Penisskaftet
SCT 7991003   -1 Skin of glans penis | Penishodet
SCT 279478000 -1 Male external urethral orifice | Urinrørsåpningen (mann)
SCT 81992007  *1 Skin of scrotum | Pungen
SCT 73058008  -1 Skin of labium | Kjønnsleppene
SCT 128252004 *2 Skin of labium majus | Ytre kjønnsleppe
SCT 128253009 -2 Skin of labium minus | Indre kjønnsleppe
SCT 279867004 -1 Frenulum of labia minora | Frenulum på indre kjønnslepper
SCT 4019005   -1 Posterior commissure of labium majorum | Bakre kommissur
SCT 29353003  -1 Skin of clitoris | Klitoris
SCT 76723005  -1 Skin of prepuce of clitoris | Klitorishetten
SCT 23213005  -1 Vulval vestibule | Skjedeforgården
SCT 18857001  -1 Vaginal introitus | Skjedeåpningen
SCT 279479008 -1 Female external urethral orifice | Urinrørsåpningen (kvinne)
[genital back PELVIS]
SCT 48014002  *1 Skin of perineum | Mellomkjøttet
SCT 59112000  *1 Skin of anus | Endetarmsåpningen
[general front -]
SCT 39937001  *1 Skin | Huden, uten nærmere sted
"""

PLAIN = """
16621002  Temple
110488009 Around the mouth
21672008  Side of the crown
61719002  Crown
79951008  Back of the head
362916000 Around the eye
27887005  Inner corner of the eye
37671003  Outer corner of the eye
36141000  Cheek
68598004  Wing of the nose
314395006 Side of the nose
79283007  Tip of the nose
59532     Bridge of the nose
86719006  In front of the ear
24483006  Behind the ear
79313003  Rim of the ear
2059009   Ear lobe
86409001  Ear canal
312651    Red of the lower lip
312647    Red of the upper lip
34926004  Under the chin
11584001  Front of the neck
5272005   Side of the neck
4658004   Nape
76072005  Above the collarbone
66288003  Below the collarbone
181491009 Front of the trunk
244106003 Chest
244107007 Breastbone
76261009  Armpit
699914002 Lower abdomen
315003    Navel
39687006  Groin
49943     Back of the trunk
244111001 Upper back
699893008 Between the shoulder blades
130323    Middle of the back
113182001 Lower back
22180002  Buttock
371311000 Arm
45981001  Upper arm, front
72939005  Upper arm, back
181536004 Elbow
17957002  Inside of the elbow
70559009  Forearm, front
41550009  Forearm, back
281642007 Back of the hand
52876008  Wrist, back
24527008  Wrist, palm side
244169007 Finger
70887009  Palm
26795005  Ball of the thumb
89784008  Ball of the little finger
770809003 Fingernail
770810008 Thumbnail
770805009 Toenail
770822006 Nail of the great toe
371304004 Leg
61248009  Thigh, front
73958006  Thigh, inside
4578000   Thigh, back
181553006 Knee
84507004  Hollow of the knee
25763004  Shin
47224004  Calf
181563003 Ankle, inside
181564009 Ankle, outside
130313    Top of the foot, inner part
130309    Top of the foot, outer part
130317    Sole, front
52953006  Sole, inner edge
35739000  Sole, outer edge
699919007 Heel, inside
699909001 Heel, outside
60944009  External genitals
39937001  Skin, no closer place
"""
"""Short English names for people, where the standard's own words are not those of a surgery."""
