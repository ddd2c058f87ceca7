"""Which folder names of the training photos mean the same kind of thing.

Half of the categories have a single photo: on its own such a name teaches nothing about kinds,
together the goldfinch, the magpie and the ostrich teach what a bird looks like.
"""

from __future__ import annotations

_GROUPS = """
bird: American_coot albatross bald_eagle bittern black_grouse black_swan bustard chickadee cock
  coucal drake emu flamingo flamingo_head goldfinch hen hummingbird ibis indigo_bunting jay
  limpkin magpie ostrich partridge pelican pigeon robin rooster spoonbill white_stork king_penguin
  dowitcher
dog: Airedale Bernese_mountain_dog Blenheim_spaniel Border_terrier Bouvier_des_Flandres
  Brabancon_griffon Chesapeake_Bay_retriever English_foxhound English_springer Eskimo_dog
  German_shepherd Great_Pyrenees Ibizan_hound Irish_water_spaniel Maltese_dog Mexican_hairless
  Newfoundland Norwegian_elkhound Old_English_sheepdog Pembroke Pomeranian Rhodesian_ridgeback
  Rottweiler Saluki Scottish_deerhound Siberian_husky Sussex_spaniel Tibetan_terrier
  Yorkshire_terrier affenpinscher basset beagle borzoi boxer bull_mastiff chow clumber collie
  dalmatian golden_retriever groenendael malinois otterhound papillon silky_terrier
  standard_schnauzer toy_poodle toy_terrier dhole
wolf_or_fox: Arctic_fox coyote grey_fox kit_fox white_wolf
cat: Angora Persian_cat tiger_cat Madagascar_cat
big_cat: Leopards cheetah cougar cougar_body cougar_face tiger wild_cat
bear_or_panda: giant_panda panda lesser_panda
small_mammal: badger beaver echidna fox_squirrel hamster hedgehog marmot meerkat mink otter
  platypus skunk weasel wood_rabbit
primate: gorilla howler_monkey indri macaque marmoset orangutan proboscis_monkey siamang titi
hoofed: Arabian_camel bison gazelle gerenuk hog impala llama okapi ox sorrel warthog water_buffalo
  zebra kangaroo hippopotamus rhino
elephant: elephant tusker
fish: bass coho eel electric_ray fish goldfish great_white_shark lionfish puffer rock_beauty
  stingray sturgeon thresher anemone_fish sea_horse
sea_mammal: dolphin killer_whale
crustacean: American_lobster crab crayfish king_crab lobster spiny_lobster
sea_creature: chambered_nautilus coral_reef flatworm jellyfish nautilus nematode octopus
  sea_anemone sea_cucumber sea_slug sea_urchin starfish trilobite snail
insect: ant bee butterfly cabbage_butterfly cicada cricket damselfly dragonfly grasshopper
  ground_beetle lacewing ladybug leaf_beetle long-horned_beetle mayfly monarch ringlet
  sulphur_butterfly tiger_beetle
spider: barn_spider black_widow spider_web tarantula tick wolf_spider scorpion
snake: diamondback hognose_snake king_snake sea_snake water_snake
lizard: Gila_monster agama common_iguana crocodile crocodile_head frilled_lizard green_lizard
  European_fire_salamander spotted_salamander
frog: bullfrog tree_frog
turtle: box_turtle hawksbill leatherback_turtle loggerhead mud_turtle terrapin
dinosaur: brontosaurus stegosaurus
person: Faces Faces_easy ballplayer groom scuba_diver
cartoon: garfield snoopy comic_book
flower: daisy lotus sunflower water_lilly rapeseed
fruit: Granny_Smith fig jackfruit strawberry hip buckeye
vegetable: acorn_squash artichoke bell_pepper broccoli butternut_squash cauliflower head_cabbage
  spaghetti_squash zucchini
mushroom: agaric earthstar
tree: bonsai joshua_tree
cooked_food: carbonara guacamole hot_pot hotdog mashed_potato pizza potpie pretzel dough ice_cream
car: Model_T beach_wagon car_side convertible minivan racer car_wheel golfcart police_van
truck: fire_engine forklift garbage_truck lawn_mower mobile_home moving_van snowplow trailer_truck
train_or_bus: bullet_train passenger_car school_bus streetcar
motorcycle: Motorbikes moped
cycle: inline_skate unicycle wheelchair
aircraft: airplanes helicopter warplane airship parachute balloon kite projectile missile
boat: catamaran dock ferry gondola ketch paddlewheel pirate schooner speedboat submarine wreck
  yawl
building: barbershop castle church cinema dome minaret mosque obelisk pagoda planetarium pyramid
  stupa water_tower yurt
landscape: dam lakeside promontory sandbar seashore valley viaduct steel_arch_bridge
clothing: cardigan fur_coat gown jersey kimono maillot miniskirt overskirt stole swimming_trunks
  trench_coat vestment sock
hat: bathing_cap bearskin bonnet cowboy_hat mortarboard wig ski_mask mask
shoe: Loafer clog shoe_shop
chair: chair folding_chair park_bench rocking_chair windsor_chair
furniture: bookcase crib desk dining_table medicine_chest wardrobe upright pool_table
lamp: candle chandelier lamp lampshade spotlight torch jack-o'-lantern traffic_light
clock: analog_clock hourglass stopwatch wall_clock watch metronome
electronics: cassette cassette_player home_theater iPod laptop monitor mouse printer projector
  space_bar tape_player television web_site notebook cash_machine
phone: cellphone
camera: camera lens_cap reflex_camera binocular binoculars
stringed: banjo cello electric_guitar mandolin
wind_instrument: French_horn accordion bassoon brass cornet euphonium flute sax saxophone whistle
  gramophone
piano: grand_piano
percussion: chime drum maraca
ball: basketball croquet_ball golf_ball ping-pong_ball rugby_ball soccer_ball volleyball
bottle: beer_glass cocktail_shaker pop_bottle red_wine water_bottle water_jug whiskey_jug
cup_or_bowl: cup measuring_cup soup_bowl plate pitcher ewer teapot beaker
cookware: Crock_Pot caldron espresso_maker frying_pan ladle pot strainer toaster wok stove
tool: can_opener corkscrew hammer nail pencil_sharpener plow scissors screwdriver stapler wrench
weapon: assault_rifle cannon revolver holster
bag_or_box: bucket carton mailbag mailbox pencil_box plastic_bag safe shopping_basket tray wallet
  barrel
shop: bookshop confectionery grocery_store toyshop
sign: stop_sign street_sign parking_meter flagpole menu
glasses: sunglass
"""


def _table() -> dict[str, str]:
    kinds: dict[str, str] = {}
    for group in _GROUPS.replace("\n  ", " ").strip().splitlines():
        kind, members = group.split(": ", 1)
        kinds.update(dict.fromkeys(members.split(), kind))
    return kinds


_KIND_OF = _table()
NO_KIND = frozenset({"", "BACKGROUND_Google"})


def kind_of(category: str) -> str | None:
    """Return the kind that a folder's photos show: its group, or itself; None if they vary."""
    return None if category in NO_KIND else _KIND_OF.get(category, category)
